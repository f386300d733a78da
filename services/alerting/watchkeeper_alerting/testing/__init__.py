"""What tests of and beside this service are made of; production never imports it."""
