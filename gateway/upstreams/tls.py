"""TLS to an upstream: verified unless the configuration says otherwise, and never given up for plain HTTP."""

import ssl

from gateway.config.upstreams import TlsSettings


def make_tls_context(upstream: str, settings: TlsSettings) -> ssl.SSLContext:
    """The context for every connection to one upstream. Raises ValueError that names the setting if a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"upstreams.{upstream}.tls.ca {settings.ca!r} cannot be used: {error}") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate is not None:
        try:
            context.load_cert_chain(settings.certificate, settings.key)
        except OSError as error:
            problem = f"upstreams.{upstream}.tls.certificate {settings.certificate!r} cannot be used: {error}"
            raise ValueError(problem) from error
    return context
