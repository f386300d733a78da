"""What every metric means, family by family: data for people and for the decision's defaults."""
