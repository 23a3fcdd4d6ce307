"""The language of `successCondition` and `failureCondition`: parsed once, checked against the result's type, bounded."""
