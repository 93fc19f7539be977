-- POST the JSON of echo.json.
dofile("checked.lua")

local file = io.open("echo.json")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = file:read("*a")
file:close()
