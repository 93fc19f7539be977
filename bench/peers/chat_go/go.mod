module bench/chat

go 1.19
