"""Every target by name."""

from fuzz.target import Target
from fuzz.targets import addresses, configuration, headers, journal, odata, orders, store, webhooks, xml

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        webhooks.TARGET,
        orders.TARGET,
        store.TARGET,
        journal.TARGET,
        odata.TARGET,
        xml.TARGET,
        headers.TARGET,
        addresses.TARGET,
        configuration.TARGET,
    )
}
