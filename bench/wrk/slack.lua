-- POST message events of Slack's, signed beforehand.  Acknowledged with nothing: the answer is posted later.
dofile("deliveries.lua")

function is_right(body)
   return #body == 0
end
