"""The comparison of 2018 again, for anybody to repeat, and what that team needed to know and did not measure."""
