"""The maths: pure functions of arrays. No file, no clock, no print, no compilation."""
