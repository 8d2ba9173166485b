"""The collector dialect with the ten types that config/collector.yaml ships."""

from functools import cache
from pathlib import Path

from gateway.config.load import load
from gateway.dialects.collector import Collector

CONFIG = Path(__file__).resolve().parents[2] / "config" / "collector.yaml"


@cache
def make_collector() -> Collector:
    """As the gateway makes it of that file."""
    settings = load(CONFIG, {})
    return Collector(settings.catalogs["collector"].make_catalog(settings.make_template_rules()))
