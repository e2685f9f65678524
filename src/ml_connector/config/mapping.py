"""The mapping of one integration as it is written, and from there to the domain. Tables: `docs/mapping.md`."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from ml_connector.domain import mapping as domain
from ml_connector.domain.documents import Dimension, Role


class MappingError(ValueError):
    """An entry of the mapping that cannot be used. `path` names it, e.g. `taxes/0/rate`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"mapping {path}: {message}")
        self.path = path
        self.message = message


def _decimal(value: object) -> Decimal:
    # YAML reads an unquoted rate as a float; its shortest text is what the person wrote.
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a decimal") from error
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(f"{value!r} is not a decimal")
    return number


def _text(value: object) -> object:
    # Account and ID columns look like numbers in YAML; a leading zero that YAML dropped cannot be recovered, so
    # only whole numbers are taken, and quoting is what the documentation asks for.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Rate = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?$"}, {"type": "number"}]}),
]
Code = Annotated[str, BeforeValidator(_text), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DimensionEntry(Table):
    profit_center: Code = ""
    cost_center: Code = ""
    segment: Code = ""

    def to_domain(self) -> Dimension:
        return Dimension(self.profit_center, self.cost_center, self.segment)


NO_DIMENSION = DimensionEntry()


class TaxEntry(Table):
    name: str
    rate: Rate
    tax_code: Code
    account: Code
    tax_class: str | None = Field(None, alias="class")
    country: str | None = None
    state: str | None = None
    jurisdiction: Code = ""


class TaxGroupEntry(Table):
    codes: tuple[Code, ...]
    code: Code
    levels: tuple[Code, ...] = ()


class UntaxedEntry(Table):
    tax_code: Code
    countries: tuple[str, ...] = ()
    territory: bool = True
    needs_vat_number: bool = False
    exempt_category: str = ""
    line_type: str = ""


class PaymentMethodEntry(Table):
    account: Code
    text: str = ""
    gateway: str | None = None
    method: str | None = None
    offline: str | None = None
    currency: str | None = None


class RevenueMatch(Table):
    sku: Code | None = None
    brand: str | None = None
    category: int | None = None
    customer_group: int | None = None
    channel: int | None = None


class RevenueEntry(Table):
    match: RevenueMatch
    account: Code
    dimension: DimensionEntry = NO_DIMENSION


class CustomersEntry(Table):
    one_time: Code = ""
    collective: Code = ""
    individual: dict[Code, Code] = {}
    companies: dict[Code, Code] = {}


class MappingFile(Table):
    """All tables, each optional: a look-up that finds nothing holds the order and names what is missing."""

    accounts: dict[Role, Code] = {}
    taxes: tuple[TaxEntry, ...] = ()
    tax_groups: tuple[TaxGroupEntry, ...] = ()
    untaxed_code: Code = ""
    untaxed_rules: tuple[UntaxedEntry, ...] = ()
    fee_tax_codes: dict[Code, Code] = {}
    payment_methods: tuple[PaymentMethodEntry, ...] = ()
    customers: CustomersEntry = CustomersEntry()
    revenue_rules: tuple[RevenueEntry, ...] = ()
    dimensions: dict[Role, DimensionEntry] = {}
    default_dimension: DimensionEntry = NO_DIMENSION
    items: dict[Code, Code] = {}
    items_match: Literal["", "sku"] = ""
    default_warehouse: Code = ""
    warehouses: dict[Code, Annotated[int, Field(gt=0, strict=True)]] = {}
    carriers: dict[Code, str] = {}


def mapping_from(data: Mapping[str, object], version: int = 0) -> domain.Mapping:
    """The mapping that `data` writes. Raises `MappingError` with the path of the first entry that is wrong."""
    try:
        tables = MappingFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = "/".join(str(step) for step in first["loc"] if step != "[key]")
        raise MappingError(path, _message(first["type"], first["msg"], first.get("ctx", {}))) from error
    return domain.Mapping(
        accounts={role.value: account for role, account in tables.accounts.items()},
        taxes=tuple(domain.TaxRule(**entry.model_dump()) for entry in tables.taxes),
        tax_groups=tuple(domain.TaxGroup(entry.codes, entry.code, entry.levels) for entry in tables.tax_groups),
        untaxed_code=tables.untaxed_code,
        untaxed_rules=tuple(domain.UntaxedRule(**entry.model_dump()) for entry in tables.untaxed_rules),
        fee_tax_codes=dict(tables.fee_tax_codes),
        payment_methods=tuple(domain.PaymentMethod(**entry.model_dump()) for entry in tables.payment_methods),
        customers=domain.Customers(**tables.customers.model_dump()),
        revenue_rules=tuple(
            domain.RevenueRule(account=rule.account, dimension=rule.dimension.to_domain(), **rule.match.model_dump())
            for rule in tables.revenue_rules
        ),
        dimensions={role.value: entry.to_domain() for role, entry in tables.dimensions.items()},
        default_dimension=tables.default_dimension.to_domain(),
        items=dict(tables.items),
        items_match=tables.items_match,
        default_warehouse=tables.default_warehouse,
        warehouses=dict(tables.warehouses),
        carriers=dict(tables.carriers),
        version=version,
    )


def mapping_to_dict(mapping: domain.Mapping) -> dict[str, Any]:
    """Every table that is not empty, as `mapping_from` reads it."""
    tables = MappingFile(
        accounts={Role(role): account for role, account in mapping.accounts.items()},
        taxes=tuple(_entry(TaxEntry, rule) for rule in mapping.taxes),
        tax_groups=tuple(_entry(TaxGroupEntry, group) for group in mapping.tax_groups),
        untaxed_code=mapping.untaxed_code,
        untaxed_rules=tuple(_entry(UntaxedEntry, rule) for rule in mapping.untaxed_rules),
        fee_tax_codes=dict(mapping.fee_tax_codes),
        payment_methods=tuple(_entry(PaymentMethodEntry, rule) for rule in mapping.payment_methods),
        customers=_entry(CustomersEntry, mapping.customers),
        revenue_rules=tuple(
            RevenueEntry(
                match=_entry(RevenueMatch, rule), account=rule.account, dimension=_entry(DimensionEntry, rule.dimension)
            )
            for rule in mapping.revenue_rules
        ),
        dimensions={Role(role): _entry(DimensionEntry, entry) for role, entry in mapping.dimensions.items()},
        default_dimension=_entry(DimensionEntry, mapping.default_dimension),
        items=dict(mapping.items),
        items_match=mapping.items_match,
        default_warehouse=mapping.default_warehouse,
        warehouses=dict(mapping.warehouses),
        carriers=dict(mapping.carriers),
    )
    return tables.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def mapping_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a mapping as it is written."""
    return MappingFile.model_json_schema(by_alias=True)


_INCOME = (
    Role.REVENUE,
    Role.DISCOUNT_PROMOTION,
    Role.DISCOUNT_COUPON,
    Role.DISCOUNT_MANUAL,
    Role.SHIPPING_INCOME,
    Role.HANDLING_INCOME,
    Role.WRAPPING_INCOME,
    Role.FEE_INCOME,
    Role.SALES_RETURNS,
)


def mapping_warnings(mapping: domain.Mapping) -> tuple[str, ...]:
    """What is accepted, and yet worth a look when the mapping is saved."""
    centred = [f"dimensions/{role.value}" for role in _INCOME if _cost_alone(mapping.dimensions.get(role.value))]
    centred += [f"revenue_rules/{n}" for n, rule in enumerate(mapping.revenue_rules) if _cost_alone(rule.dimension)]
    warnings = [
        f"{path}: a cost centre on an income account is statistical only in SAP; map a profit centre as well"
        for path in centred
    ]
    accounts: dict[str, set[str]] = {}
    for rule in mapping.taxes:
        accounts.setdefault(rule.tax_code, set()).add(rule.account)
    warnings += [
        f"taxes: the code {code} has the accounts {', '.join(sorted(several))}; refunds give tax back to one of them"
        for code, several in accounts.items()
        if len(several) > 1
    ]
    return tuple(warnings)


def _cost_alone(dimension: Dimension | None) -> bool:
    return dimension is not None and bool(dimension.cost_center) and not dimension.profit_center


def _entry(model: type[Table], value: object) -> Any:
    return model.model_validate({name: getattr(value, name) for name in model.model_fields})


def _message(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "is not a field of this table"
    if kind == "enum":
        return f"is not an account role; the roles are {context.get('expected', '')}"
    return message.removeprefix("Value error, ")
