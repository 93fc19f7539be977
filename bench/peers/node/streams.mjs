// Held streams of the Node contestants: one event to all that are open.

const open = new Set();

export function hold(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.write(': open\n\n');
  open.add(response);
  response.on('close', () => open.delete(response));
}

export function tellAll(text) {
  const event = `data: ${text}\n\n`;
  for (const response of open) response.write(event);
  return open.size;
}
