"""From score files to what people read: tables, statistics and figures."""
