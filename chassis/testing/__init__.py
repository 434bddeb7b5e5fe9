"""What tests of every service stand on."""
