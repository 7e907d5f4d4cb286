"""Company data: profile, officers, statistics, holders and statements from Yahoo."""
