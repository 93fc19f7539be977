-- POST updates of Telegram's with their secret.  Acknowledged with nothing, or with a sign that somebody is writing.
dofile("deliveries.lua")

function is_right(body)
   return #body == 0 or body:find('"sendChatAction"', 1, true) ~= nil
end
