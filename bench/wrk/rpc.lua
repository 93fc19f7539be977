-- GET, always the same.
dofile("checked.lua")
