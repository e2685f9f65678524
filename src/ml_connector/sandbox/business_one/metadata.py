"""``$metadata`` of this company: what the tables say, with the user-defined fields and tables that the node knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from ml_connector.sandbox.business_one.access import Node
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.fields import SETS, SUB_UDF, TYPES, USER_TABLE, Field, Type
from ml_connector.sandbox.business_one.tables.enums import ENUMS

EDM = {
    1: {"text": "Edm.String", "int": "Edm.Int32", "number": "Edm.Double", "day": "Edm.DateTime", "time": "Edm.Time"},
    2: {
        "text": "Edm.String",
        "int": "Edm.Int32",
        "number": "Edm.Double",
        "day": "Edm.DateTimeOffset",
        "time": "Edm.TimeOfDay",
    },
}
EDMX = {
    1: (
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices '
        'm:DataServiceVersion="3.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        '<Schema Namespace="SAPB1" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">'
    ),
    2: (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        '<Schema Namespace="SAPB1" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    ),
}
ACTIONS = (
    ("Login", "SAPB1.B1Session", ("CompanyDB", "UserName", "Password", "Language")),
    ("Logout", "", ()),
)


def metadata(company: Company, version: int, node: Node) -> str:
    """The whole document."""
    used = {each.type_name for each in SETS.values()}
    by_type: dict[str, dict[str, Field]] = {}
    for each in SETS.values():
        by_type.setdefault(each.type_name, {}).update(company.udfs(each.udf_table, node))
    for name, table in SUB_UDF.items():
        by_type.setdefault(name, {}).update(company.udfs(table, node))
    parts = [_enum(version, name, members) for name, members in ENUMS.items()]
    parts += [
        _type(version, "EntityType" if name in used else "ComplexType", of, by_type.get(name, {}).values())
        for name, of in TYPES.items()
    ]
    sets = {name: each.type_name for name, each in SETS.items()}
    for (table,) in company.table("UserTablesMD").rows:
        name = f"U_{table}"
        if company.user_table(name, node) is not None:
            of = Type(name, USER_TABLE.fields)
            parts.append(_type(version, "EntityType", of, company.udfs("@" + str(table), node).values()))
            sets[name] = name
    session = '<Property Name="{}" Type="{}"/>'
    fields = [("SessionId", "Edm.String"), ("Version", "Edm.String"), ("SessionTimeout", "Edm.Int32")]
    parts.append(
        '<EntityType Name="B1Session"><Key><PropertyRef Name="SessionId"/></Key>'
        + "".join(session.format(*each) for each in fields)
        + "</EntityType>"
    )
    imports = [_function(version, *each) for each in ACTIONS]
    if version == 2:
        parts += imports
        imports = []
    container = "".join(f'<EntitySet Name="{name}" EntityType="SAPB1.{of}"/>' for name, of in sets.items())
    parts.append(f'<EntityContainer Name="ServiceLayer">{container}{"".join(imports)}</EntityContainer>')
    head = '<?xml version="1.0" encoding="UTF-8"?>' + EDMX[version]
    return head + "".join(parts) + "</Schema></edmx:DataServices></edmx:Edmx>"


def _enum(version: int, name: str, members: Mapping[str, str]) -> str:
    """v1 has the letters as values; v2 numbers the members and tells the letters beside them."""
    if version == 1:
        inner = "".join(
            f"<Member Name={quoteattr(member)} Value={quoteattr(value)}/>" for member, value in members.items()
        )
    else:
        inner = "".join(
            f'<Member Name={quoteattr(member)} Value="{number}">'
            f'<Annotation Term="SAPB1.ValidValue" String={quoteattr(value)}/></Member>'
            for number, (member, value) in enumerate(members.items())
        )
    return f'<EnumType Name="{name}">{inner}</EnumType>'


def _type(version: int, element: str, of: Type, udfs: Iterable[Field]) -> str:
    keys = "".join(f'<PropertyRef Name="{each.name}"/>' for each in of.keys)
    key = f"<Key>{keys}</Key>" if keys and element == "EntityType" else ""
    properties = "".join(_property(version, each) for each in [*of.fields, *udfs])
    return f'<{element} Name="{of.name}">{key}{properties}</{element}>'


def _property(version: int, field: Field) -> str:
    if field.kind == "collection":
        kind = f"Collection(SAPB1.{field.of})"
    elif field.kind in ("complex", "enum"):
        kind = f"SAPB1.{field.of}"
    else:
        kind = EDM[version][field.kind]
    length = f' MaxLength="{field.max_length}"' if field.max_length else ""
    nullable = ' Nullable="false"' if field.key else ""
    return f'<Property Name={quoteattr(field.name)} Type="{kind}"{nullable}{length}/>'


def _function(version: int, name: str, returns: str, parameters: tuple[str, ...]) -> str:
    inner = "".join(f'<Parameter Name="{each}" Type="Edm.String"/>' for each in parameters)
    if version == 1:
        kind = f' ReturnType="{returns}"' if returns else ""
        return f'<FunctionImport Name="{name}"{kind}>{inner}</FunctionImport>'
    kind = f'<ReturnType Type="{returns}"/>' if returns else ""
    return f'<Action Name="{name}">{inner}{kind}</Action>'
