"""``$metadata`` and the service document, written from the field tables."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from ml_connector.sandbox.s4hana.odata.fields import EntitySet, EntityType, Field, Nav, Service

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    ' xmlns:sap="http://www.sap.com/Protocols/SAPData">'
    '<edmx:DataServices m:DataServiceVersion="2.0">'
)


def metadata(service: Service) -> str:
    types = {each.type.name: each.type for each in service.sets}
    parts = [
        HEAD,
        f'<Schema Namespace="{service.namespace}" sap:schema-version="1"'
        ' xmlns="http://schemas.microsoft.com/ado/2008/09/edm">',
        *(_entity_type(service, each) for each in types.values()),
        *(_association(service, each, nav) for each in types.values() for nav in each.navs),
        f'<EntityContainer Name="{service.namespace}_Entities" m:IsDefaultEntityContainer="true"'
        ' sap:supported-formats="json">',
        *(_entity_set(service, each) for each in service.sets),
        *(_association_set(service, each, nav) for each in service.sets for nav in each.type.navs),
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>",
    ]
    return "".join(parts)


def service_document(service: Service, name: str) -> str:
    """The list of entity sets as Atom, which is what a client gets that does not ask for JSON."""
    collections = "".join(
        f'<app:collection href="{each.name}"><atom:title type="text">{each.name}</atom:title></app:collection>'
        for each in service.sets
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><app:service xmlns:app="http://www.w3.org/2007/app"'
        f' xmlns:atom="http://www.w3.org/2005/Atom"><app:workspace><atom:title type="text">{name}</atom:title>'
        f"{collections}</app:workspace></app:service>"
    )


def _entity_type(service: Service, entity: EntityType) -> str:
    keys = "".join(f'<PropertyRef Name="{each.name}"/>' for each in entity.keys)
    properties = "".join(_property(each) for each in entity.fields)
    navs = "".join(
        f'<NavigationProperty Name="{nav.name}" Relationship="{service.namespace}.{_name(entity, nav)}"'
        f' FromRole="From" ToRole="To"/>'
        for nav in entity.navs
    )
    return f'<EntityType Name="{entity.name}"><Key>{keys}</Key>{properties}{navs}</EntityType>'


def _property(field: Field) -> str:
    attributes: dict[str, str] = {"Name": field.name, "Type": field.edm}
    if field.key:
        attributes["Nullable"] = "false"
    if field.max_length is not None:
        attributes["MaxLength"] = str(field.max_length)
    if field.precision is not None:
        attributes["Precision"] = str(field.precision)
    if field.scale:
        attributes["Scale"] = str(field.scale)
    if field.edm == "Edm.DateTime":
        attributes["sap:display-format"] = "Date"
    elif field.upper:
        attributes["sap:display-format"] = "UpperCase"
    elif field.numeric:
        attributes["sap:display-format"] = "NonNegative"
    if not field.writable:
        attributes |= {"sap:creatable": "false", "sap:updatable": "false"}
    attributes["sap:label"] = field.name
    return "<Property " + " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items()) + "/>"


def _association(service: Service, entity: EntityType, nav: Nav) -> str:
    target = service.by_name[nav.target].type
    return (
        f'<Association Name="{_name(entity, nav)}" sap:content-version="1">'
        f'<End Type="{service.namespace}.{entity.name}" Multiplicity="1" Role="From"/>'
        f'<End Type="{service.namespace}.{target.name}" Multiplicity="{"*" if nav.many else "0..1"}" Role="To"/>'
        "</Association>"
    )


def _entity_set(service: Service, entity_set: EntitySet) -> str:
    flags = {"creatable": entity_set.creatable, "updatable": entity_set.updatable, "deletable": entity_set.deletable}
    refused = "".join(f' sap:{name}="false"' for name, allowed in flags.items() if not allowed)
    return f'<EntitySet Name="{entity_set.name}" EntityType="{service.namespace}.{entity_set.type.name}"{refused}/>'


def _association_set(service: Service, entity_set: EntitySet, nav: Nav) -> str:
    name = _name(entity_set.type, nav)
    return (
        f'<AssociationSet Name="{name}_set" Association="{service.namespace}.{name}">'
        f'<End EntitySet="{entity_set.name}" Role="From"/><End EntitySet="{nav.target}" Role="To"/></AssociationSet>'
    )


def _name(entity: EntityType, nav: Nav) -> str:
    return f"assoc_{entity.name}_{nav.name}"
