"""What every flow does at its edge: parameters, settings, errors, the first look at places."""
