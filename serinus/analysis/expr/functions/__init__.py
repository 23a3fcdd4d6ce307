"""The functions of conditions, one file for each subject."""
