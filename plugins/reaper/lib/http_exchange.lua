-- One HTTP request over LuaSocket, never waiting: `step` does what can be done at once.

local HttpExchange = {}
HttpExchange.__index = HttpExchange

local RECEIVE_BYTES = 65536
local MOST_ANSWER_BYTES = 64 << 20
local PATIENCE_S = 20

--- Begin a request to 127.0.0.1.
-- @param socket the LuaSocket module
-- @param headers list of "Name: value"
function HttpExchange.new(socket, port, method, path, headers, body)
  local lines = { ("%s %s HTTP/1.1"):format(method, path), ("Host: 127.0.0.1:%d"):format(port), "Connection: close" }
  for _, header in ipairs(headers) do lines[#lines + 1] = header end
  if body then
    lines[#lines + 1] = "Content-Type: application/json"
    lines[#lines + 1] = ("Content-Length: %d"):format(#body)
  end
  local connection = socket.tcp()
  connection:settimeout(0)
  local self = setmetatable({ connection = connection, sent = 0, parts = {}, received = 0,
    request = table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""),
    until_s = reaper.time_precise() + PATIENCE_S }, HttpExchange)
  self.port = port
  self:connect()
  return self
end

--- Whether it is connected. Asked again, LuaSocket tells how a connection that was begun stands.
function HttpExchange:connect()
  if self.connected then return true end
  local connected, problem = self.connection:connect("127.0.0.1", self.port)
  self.connected = connected ~= nil or problem == "already connected"
  local waits = problem == "timeout" or problem and problem:lower():find("progress")
  if not self.connected and not waits then self.problem = problem end
  return self.connected
end

function HttpExchange:send()
  if self.sent >= #self.request then return true end
  local last, problem, partly = self.connection:send(self.request, self.sent + 1)
  self.sent = last or partly or self.sent
  if not last and problem ~= "timeout" then self.problem = problem end
  return self.sent >= #self.request
end

function HttpExchange:receive()
  while true do
    local data, problem, partly = self.connection:receive(RECEIVE_BYTES)
    local block = data or partly or ""
    if block ~= "" then
      self.parts[#self.parts + 1] = block
      self.received = self.received + #block
    end
    if self.received > MOST_ANSWER_BYTES then
      self.problem = "the answer is too long"
      return true
    end
    if problem == "closed" then return true end
    if problem == "timeout" then return false end
    if problem then
      self.problem = problem
      return true
    end
  end
end

--- Go on as far as possible.
-- @return nil while there is more to wait for; else the status and the body, or false and what was wrong
function HttpExchange:step()
  local complete = not self.problem and self:connect() and self:send() and self:receive()
  if not complete and not self.problem and reaper.time_precise() < self.until_s then return nil end
  self.connection:close()
  if self.problem or not complete then return false, self.problem or "no answer in time" end
  local answer = table.concat(self.parts)
  local status = answer:match("^HTTP/1%.[01] (%d%d%d)")
  local _, head_end = answer:find("\r\n\r\n", 1, true)
  if not status or not head_end then return false, "the answer is not HTTP" end
  return math.tointeger(tonumber(status)), answer:sub(head_end + 1)
end

return HttpExchange
