"""One page in one file: results folders as people look at them (:func:`usaid.report.page.write.write_report`)."""
