"""Finds out which link between a submitted domain and its result is broken, and says what to do."""

from app.doctor.examination import Step, examine
from app.doctor.models import Check, Report
from app.doctor.patient import Patient
from app.doctor.readiness import readiness

__all__ = ["Check", "Patient", "Report", "Step", "examine", "readiness"]
