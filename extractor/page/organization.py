# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""Who is behind the site, put together from the nodes of structured data."""

from __future__ import annotations

import re
from typing import Any, Final

from extractor.models import Organization, PostalAddress
from extractor.page.document import Document, host_of, readable, registrable
from extractor.page.structured import Node, text_of, texts_of, types_of
from extractor.page.text import clean_line

MAX_ORGANIZATIONS = 20

#: schema.org types below Organization, without those that only name a publisher of something else.
_TYPES: Final = frozenset(
    [
        "Organization",
        "Corporation",
        "Airline",
        "Consortium",
        "Cooperative",
        "EducationalOrganization",
        "CollegeOrUniversity",
        "ElementarySchool",
        "HighSchool",
        "MiddleSchool",
        "Preschool",
        "School",
        "GovernmentOrganization",
        "LibrarySystem",
        "MedicalOrganization",
        "NGO",
        "NewsMediaOrganization",
        "OnlineBusiness",
        "OnlineStore",
        "PerformingGroup",
        "DanceGroup",
        "MusicGroup",
        "TheaterGroup",
        "PoliticalParty",
        "Project",
        "ResearchOrganization",
        "SportsOrganization",
        "SportsTeam",
        "WorkersUnion",
        "LocalBusiness",
        "AnimalShelter",
        "ArchiveOrganization",
        "AutomotiveBusiness",
        "AutoBodyShop",
        "AutoDealer",
        "AutoPartsStore",
        "AutoRental",
        "AutoRepair",
        "AutoWash",
        "GasStation",
        "MotorcycleDealer",
        "MotorcycleRepair",
        "ChildCare",
        "Dentist",
        "DryCleaningOrLaundry",
        "EmergencyService",
        "FireStation",
        "Hospital",
        "PoliceStation",
        "EmploymentAgency",
        "EntertainmentBusiness",
        "AdultEntertainment",
        "AmusementPark",
        "ArtGallery",
        "Casino",
        "ComedyClub",
        "MovieTheater",
        "NightClub",
        "FinancialService",
        "AccountingService",
        "AutomatedTeller",
        "BankOrCreditUnion",
        "InsuranceAgency",
        "FoodEstablishment",
        "Bakery",
        "BarOrPub",
        "Brewery",
        "CafeOrCoffeeShop",
        "Distillery",
        "FastFoodRestaurant",
        "IceCreamShop",
        "Restaurant",
        "Winery",
        "GovernmentOffice",
        "PostOffice",
        "HealthAndBeautyBusiness",
        "BeautySalon",
        "DaySpa",
        "HairSalon",
        "HealthClub",
        "NailSalon",
        "TattooParlor",
        "HomeAndConstructionBusiness",
        "Electrician",
        "GeneralContractor",
        "HVACBusiness",
        "HousePainter",
        "Locksmith",
        "MovingCompany",
        "Plumber",
        "RoofingContractor",
        "InternetCafe",
        "LegalService",
        "Attorney",
        "Notary",
        "Library",
        "LodgingBusiness",
        "BedAndBreakfast",
        "Campground",
        "Hostel",
        "Hotel",
        "Motel",
        "Resort",
        "SkiResort",
        "VacationRental",
        "MedicalBusiness",
        "MedicalClinic",
        "Optician",
        "Pharmacy",
        "Physician",
        "Psychiatric",
        "CommunityHealth",
        "Dermatology",
        "DietNutrition",
        "Emergency",
        "Geriatric",
        "Gynecologic",
        "Midwifery",
        "Nursing",
        "Obstetric",
        "Oncologic",
        "Optometric",
        "Otolaryngologic",
        "Pediatric",
        "Physiotherapy",
        "PlasticSurgery",
        "Podiatric",
        "PrimaryCare",
        "VeterinaryCare",
        "ProfessionalService",
        "RadioStation",
        "RealEstateAgent",
        "RecyclingCenter",
        "SelfStorage",
        "ShoppingCenter",
        "SportsActivityLocation",
        "BowlingAlley",
        "ExerciseGym",
        "GolfCourse",
        "PublicSwimmingPool",
        "SportsClub",
        "StadiumOrArena",
        "TennisComplex",
        "Store",
        "BikeStore",
        "BookStore",
        "ClothingStore",
        "ComputerStore",
        "ConvenienceStore",
        "DepartmentStore",
        "ElectronicsStore",
        "Florist",
        "FurnitureStore",
        "GardenStore",
        "GroceryStore",
        "HardwareStore",
        "HobbyShop",
        "HomeGoodsStore",
        "JewelryStore",
        "LiquorStore",
        "MensClothingStore",
        "MobilePhoneStore",
        "MovieRentalStore",
        "MusicStore",
        "OfficeEquipmentStore",
        "OutletStore",
        "PawnShop",
        "PetStore",
        "ShoeStore",
        "SportingGoodsStore",
        "TireShop",
        "ToyStore",
        "WholesaleStore",
        "TelevisionStation",
        "TouristInformationCenter",
        "TravelAgency",
        "Church",
        "PlaceOfWorship",
        "Museum",
    ]
)
_OPENING = re.compile(r"[/#]")


def is_organization(node: Node) -> bool:
    """Whether the node describes a business or another body."""
    return any(name in _TYPES for name in types_of(node))


def read_organizations(document: Document, nodes: list[Node]) -> list[Organization]:
    """One document for each node that describes a body, the fullest first; nodes that only name one come last."""
    ids = {str(node["@id"]): node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 2}
    found = [_organization(document, node, ids) for node in nodes if is_organization(node)]
    known = [
        organization
        for organization in found
        if organization.name or organization.legal_name or _is_the_sites(document, organization)
    ]
    known.sort(key=_fullness, reverse=True)
    return known[:MAX_ORGANIZATIONS]


def _is_the_sites(document: Document, organization: Organization) -> bool:
    """Whether a body without a name is the site's own by its address, and says more than that."""
    says_more = organization.logo or organization.telephone or organization.address or organization.same_as
    return bool(organization.url and says_more) and registrable(host_of(organization.url or "")) == document.site


_LINE_OF_COPYRIGHT = re.compile(r"^(?:copyright\s?)?(?:©|\(c\))\s?(?:\d{4}(?:\s?[-–]\s?\d{4})?)?[\s,|]*", re.IGNORECASE)


def _name(value: Any) -> str | None:
    """A name without what templates put around it."""
    name = readable(text_of(value), 200)
    return _LINE_OF_COPYRIGHT.sub("", name.strip(" |–-")) or None if name else None


def _fullness(organization: Organization) -> int:
    members = (
        organization.address, organization.telephone, organization.email, organization.logo, organization.url,
        organization.legal_name, organization.vat_id, organization.description, organization.opening_hours,
    )  # fmt: skip
    return 2 * bool(organization.address) + sum(bool(member) for member in members) + min(len(organization.same_as), 2)


def _organization(document: Document, node: Node, ids: dict[str, Node]) -> Organization:
    contact = resolved(node.get("contactPoint"), ids)
    kinds = [name for name in types_of(node) if name in _TYPES]
    specific = [name for name in kinds if name not in ("Organization", "LocalBusiness")]
    same_as = [url for text in texts_of(node.get("sameAs"))[:40] if (url := document.absolute(text))]
    logo = resolved(node.get("logo"), ids) or node.get("logo")
    return Organization(
        type=(specific or kinds)[0],
        name=_name(node.get("name")),
        legal_name=readable(text_of(node.get("legalName")), 200),
        description=readable(text_of(node.get("description")), 1_000),
        url=document.absolute(text_of(node.get("url"))),
        logo=document.absolute(_logo_address(logo)),
        telephone=clean_line(text_of(node.get("telephone")) or text_of(contact and contact.get("telephone")), 60),
        email=clean_line(text_of(node.get("email")) or text_of(contact and contact.get("email")), 254),
        address=postal_address(resolved(node.get("address"), ids) or node.get("address")),
        same_as=list(dict.fromkeys(same_as)),
        vat_id=clean_line(text_of(node.get("vatID")) or text_of(node.get("taxID")), 40),
        founding_date=clean_line(text_of(node.get("foundingDate")), 20),
        opening_hours=_opening_hours(node),
    )


def _logo_address(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        return text_of(value.get("url")) or text_of(value.get("contentUrl")) or text_of(value.get("@id"))
    return text_of(value)


def resolved(value: Any, ids: dict[str, Node]) -> Node | None:
    """The node a property holds or points at by its @id, the first of several."""
    if isinstance(value, list):
        value = next((member for member in value if isinstance(member, dict)), None)
    if not isinstance(value, dict):
        return None
    if "@id" in value and len(value) <= 2:
        return ids.get(str(value["@id"]), value)
    return value


def postal_address(value: Any) -> PostalAddress | None:
    """An address in parts and on one line; None where it has neither a street nor a postal code with a place."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        text = readable(value, 300)
        return PostalAddress(text=text) if text and re.search(r"\d", text) and len(text) > 8 else None
    if not isinstance(value, dict):
        return None

    def part(key: str) -> str | None:
        return readable(", ".join(texts_of(value.get(key))), 200)

    street, code, locality = part("streetAddress"), part("postalCode"), part("addressLocality")
    region, country = part("addressRegion"), part("addressCountry")
    if not street and not (code and locality):
        return None
    text = one_line(street, code, locality, region, country)
    return PostalAddress(text=text, street=street, postal_code=code, locality=locality, region=region, country=country)


def one_line(
    street: str | None, code: str | None, locality: str | None, region: str | None, country: str | None
) -> str:
    """The parts in the order of the country: code before the place, but behind it where English is written."""
    english = bool(country and country.upper() in _CODE_LAST) or bool(
        code and re.search(r"[A-Z]", code) and not country
    )
    if english or (region and re.fullmatch(r"[A-Z]{2}", region) and code and re.fullmatch(r"\d{5}(?:-\d{4})?", code)):
        place = ", ".join(part for part in (locality, " ".join(part for part in (region, code) if part)) if part)
    else:
        place = " ".join(part for part in (code, locality) if part)
        if region and region != locality:
            place = f"{place}, {region}" if place else region
    return clean_line(", ".join(part for part in (street, place, country) if part), 300) or ""


_CODE_LAST = frozenset(["US", "USA", "GB", "UK", "IE", "AU", "NZ", "CA", "IN", "ZA", "SG", "HK", "UNITED", "STATES", "UNITED", "KINGDOM"]) | {
    "UNITED STATES", "UNITED KINGDOM", "AUSTRALIA", "CANADA", "IRELAND", "NEW ZEALAND",
}  # fmt: skip


def _opening_hours(node: Node) -> list[str]:
    lines = [clean_line(text, 120) for text in texts_of(node.get("openingHours"))]
    specifications = node.get("openingHoursSpecification")
    for member in specifications if isinstance(specifications, list) else [specifications]:
        if isinstance(member, dict):
            lines.append(_opening_line(member))
    return list(dict.fromkeys(line for line in lines if line))[:21]


def _opening_line(specification: Node) -> str | None:
    days = [_OPENING.split(day)[-1][:2] for day in texts_of(specification.get("dayOfWeek"))]
    opens, closes = text_of(specification.get("opens")), text_of(specification.get("closes"))
    if not opens or not closes:
        return None
    return clean_line(f"{','.join(days)} {opens[:5]}-{closes[:5]}", 120)
