"""The functions of templates, one file for each subject."""
