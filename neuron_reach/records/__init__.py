"""Activity records: from bags, or from a policy played in process."""
