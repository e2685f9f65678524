"""The words of the field as values: money, orders, customers, documents, mapping, policy. No I/O, no clock."""
