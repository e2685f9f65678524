"""Connects BigCommerce stores with the ERPs behind them, and proves what it moved."""
