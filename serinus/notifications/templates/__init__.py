"""Go's text/template with the text functions of sprig: parsed once, rendered within limits of work and output."""
