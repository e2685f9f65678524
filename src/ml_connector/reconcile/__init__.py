"""Both sides side by side: what the store says happened against what the ERP holds, counted without our own tables."""
