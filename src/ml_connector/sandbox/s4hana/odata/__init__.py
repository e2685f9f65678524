"""A small OData V2 server, as strict and as particular as SAP Gateway. `docs/protocol/s4hana.md`."""
