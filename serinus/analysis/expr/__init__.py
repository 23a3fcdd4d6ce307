"""The language of `successCondition` and `failureCondition`: parsed once, checked for the result's type, limited."""
