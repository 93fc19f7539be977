-- POST requests of Alexa's, signed beforehand.  Here the acknowledgement is the answer: a whole turn.
dofile("deliveries.lua")

function is_right(body)
   return body:find("a gimlet, shaken and strained", 1, true) ~= nil
end
