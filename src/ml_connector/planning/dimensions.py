"""Profit centre, cost centre and segment of a line: the rule's own, then the role's, then the integration's."""

from ml_connector.domain.documents import Dimension, Role
from ml_connector.domain.mapping import Mapping

# Balance-sheet lines carry none of the integration's default; an ERP with document splitting derives it.
_BALANCE_SHEET = frozenset(
    {
        Role.RECEIVABLE,
        Role.CLEARING,
        Role.CUSTOMER_DEPOSIT,
        Role.TAX_PAYABLE,
        Role.GIFT_CERTIFICATE_LIABILITY,
        Role.STORE_CREDIT_LIABILITY,
    }
)
_NONE = Dimension()


def dimension_of(mapping: Mapping, role: Role, own: Dimension = _NONE) -> Dimension:
    of_role = mapping.dimensions.get(role.value, _NONE)
    default = _NONE if role in _BALANCE_SHEET else mapping.default_dimension
    return Dimension(
        profit_center=own.profit_center or of_role.profit_center or default.profit_center,
        cost_center=own.cost_center or of_role.cost_center or default.cost_center,
        segment=own.segment or of_role.segment or default.segment,
    )
