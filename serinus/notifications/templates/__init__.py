"""Go's text/template with the text functions of sprig: read once, rendered within limits of work and output."""
