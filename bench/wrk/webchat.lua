-- POST messages of the chat page, each with the cookie of a visitor.  Acknowledged with the turn's number.
dofile("deliveries.lua")

function is_right(body)
   return body:find('"duplicate":false', 1, true) ~= nil
end
