"""The orders bundle: orders, stock, payments and shipments."""
