"""Every dialect, by the path it is served at."""

from gateway.dialects.dialect import Dialect
from gateway.dialects.native import Native
from gateway.dialects.native_encode import AGENDIZE, NATIVE

DIALECTS: dict[str, Dialect] = {
    "/batch": Native(NATIVE),
    "/api/2.3/batch": Native(AGENDIZE),
}
