-- The way to the daemon through its HTTP door, where LuaSocket is installed (ReaPack: Mavriq's Lua Sockets).
-- The same interface as `mailbox`. What it cannot do it hands over: `problem` of a state says why.

local HttpExchange = require("scorebridge.http_exchange")
local home = require("scorebridge.home")
local json = require("scorebridge.json")

local Sockets = {}
Sockets.__index = Sockets

local LEASE_S = 300 -- REAPER may stand still that long while it renders or shows a dialog
local ASK_EVERY_S = 0.25
local AT_ONCE = 4 -- exchanges under way
local MOST_FAILURES = 5

--- LuaSocket's module, or nil.
function Sockets.module()
  local folder = reaper.GetResourcePath() .. "/Scripts/Mavriq ReaScript Repository/Various/Mavriq-Lua-Sockets/"
  local library = reaper.GetOS():match("^Win") and "?.dll" or "?.so"
  if not package.cpath:find(folder, 1, true) and not folder:find("[;?]") then
    package.cpath = package.cpath .. ";" .. folder .. library
    package.path = package.path .. ";" .. folder .. "?.lua"
  end
  local found, socket = pcall(require, "socket.core")
  return found and type(socket) == "table" and socket.tcp and socket or nil
end

--- The door of the running daemon, or nil where there is none or no LuaSocket.
function Sockets.open()
  local socket = Sockets.module()
  local connection = home.connection()
  if not socket or not json.field(connection, "http_port") or not json.field(connection, "token") then return nil end
  return setmetatable({ socket = socket, port = connection.http_port, token = connection.token, open = {},
    states = {}, under_way = {}, session = home.new_id() }, Sockets)
end

function Sockets:begin(id, method, path, message, take)
  local body = message and json.encode(message)
  local headers = { "X-ScoreBridge-Token: " .. self.token }
  local exchange = HttpExchange.new(self.socket, self.port, method, path, headers, body)
  self.under_way[#self.under_way + 1] = { id = id, exchange = exchange, take = take }
  if self.open[id] then self.open[id].busy = true end
end

function Sockets:message(id, kind, content, take)
  self:begin(id, "POST", "/api/message", { type = kind, session = self.session, content = content }, take)
end

local function failure(answer)
  local content = answer.content or {}
  return { phase = "failed", code = content.code or "error", message = content.message or "The daemon refused this.",
    hint = content.hint or "" }
end

--- Hand in a request; see `mailbox`.
function Sockets:request(id, request)
  self.open[id] = { asked_s = -math.huge, failures = 0 }
  self.states[id] = { phase = "queued", stage = "Waiting" }
  if request.kind == "hello" then
    self:message(id, "hello", { client = "REAPER" }, function(answer)
      self:finish(id, answer.type == "welcome" and { phase = "done", welcome = answer.content } or failure(answer))
    end)
    return
  end
  if request.kind == "message" then
    self.open[id].busy, self.open[id].asked_s = true, math.huge -- there is no job to ask about
    self:message(id, request.type, request.content, function(answer)
      self:finish(id, answer.type ~= "error" and { phase = "done", answer = answer } or failure(answer))
    end)
    return
  end
  local content = { job = id, source = request.source, target = request.target, options = request.options,
    lease = LEASE_S }
  self:message(id, "submit", content, function(answer)
    if answer.type == "state" then return self:update(id, answer.content) end
    if answer.type ~= "accepted" then self:finish(id, failure(answer)) end
  end)
end

function Sockets:update(id, state)
  if state.phase == "done" or state.phase == "failed" or state.phase == "cancelled" then
    self:finish(id, state)
  elseif self.open[id] then
    self.states[id] = state
  end
end

function Sockets:finish(id, state)
  if self.open[id] then self.states[id], self.open[id] = state, nil end
end

--- How a request stands. `unreachable` is set where the door did not answer: another way may.
function Sockets:state(id) return self.states[id] end

--- Ask that a request ends; its state says when it has.
function Sockets:cancel(id)
  self:message(id, "cancel", { job = id }, function(answer)
    if answer.type == "state" then self:update(id, answer.content) end
  end)
end

--- Forget a request that has ended.
function Sockets:forget(id) self.open[id], self.states[id] = nil, nil end

local function body_of(answer, status)
  local well, value = pcall(json.decode, answer)
  if not well or type(value) ~= "table" then return { type = "error", content = { message = "HTTP " .. status } } end
  if not value.type and not value.phase and value.code then return { type = "error", content = value } end
  return value
end

--- Look after everything; call it once a tick.
function Sockets:step()
  local still = {}
  local entries = self.under_way
  self.under_way = still
  for _, entry in ipairs(entries) do
    local status, answer = entry.exchange:step()
    if status == nil then
      still[#still + 1] = entry
    else
      self:answered(entry, status, answer)
    end
  end
  self:ask()
end

function Sockets:answered(entry, status, answer)
  local open = self.open[entry.id]
  if open then open.busy = false end
  if status then
    if open then open.failures = 0 end
    entry.take(body_of(answer, status))
  elseif open then
    open.failures = open.failures + 1
    if not entry.asking or open.failures >= MOST_FAILURES then
      self:finish(entry.id, { phase = "failed", code = "not_running", unreachable = true,
        message = "The ScoreBridge daemon does not answer.", hint = tostring(answer) })
    end
  end
end

--- Ask about jobs in turn, those that were not asked about for longest first.
function Sockets:ask()
  local now_s = reaper.time_precise()
  while #self.under_way < AT_ONCE do
    local oldest
    for id, entry in pairs(self.open) do
      if not entry.busy and now_s - entry.asked_s >= ASK_EVERY_S
        and (not oldest or entry.asked_s < self.open[oldest].asked_s) then
        oldest = id
      end
    end
    if not oldest then return end
    local id = oldest
    self.open[id].asked_s = now_s
    self:begin(id, "GET", "/api/jobs/" .. id, nil, function(answer)
      if answer.phase then self:update(id, answer) elseif answer.type == "error" then
        self:finish(id, failure(answer))
      end
    end)
    self.under_way[#self.under_way].asking = true
  end
end

return Sockets
