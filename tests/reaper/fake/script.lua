-- A script in its own Lua state, as near as one state holds several: its own globals and its own `require`. What would
-- hold REAPER's main thread is refused.

local contract = require("contract")
local calls = require("calls")
local meter = require("meter")
local nonblocking = require("nonblocking")
local violations = require("violations")
local Window = require("window")

local Script = {}
Script.__index = Script

local RUNNING_COMMAND = 53001

local function refused(name)
  return function() violations.raise("%s would hold the main thread", name) end
end

local function copied(library, without)
  local copy = {}
  for name, value in pairs(library) do copy[name] = value end
  for _, name in ipairs(without or {}) do copy[name] = nil end
  return copy
end

local function coroutines()
  local own = copied(coroutine)
  function own.create(body)
    local thread = coroutine.create(body)
    meter.watch(thread)
    return thread
  end
  function own.wrap(body)
    local thread = own.create(body)
    return function(...)
      local results = table.pack(coroutine.resume(thread, ...))
      if not results[1] then error(results[2], 0) end
      return table.unpack(results, 2, results.n)
    end
  end
  return own
end

local function searchers(package, environment, options)
  local function preloaded(name) return package.preload[name] or "\n\tno field package.preload['" .. name .. "']" end
  local function lua_file(name)
    local path, problem = package.searchpath(name, package.path)
    if not path then return problem end
    local chunk, broken = loadfile(path, "bt", environment)
    if not chunk then error(broken, 0) end
    return chunk, path
  end
  local function c_library(name)
    if name == "socket.core" and options.luasocket then return function() return nonblocking.socket end end
    return "\n\tno library '" .. name .. "'"
  end
  return { preloaded, lua_file, c_library }
end

local function requiring(package)
  return function(name)
    if package.loaded[name] ~= nil then return package.loaded[name] end
    local tried = {}
    for _, searcher in ipairs(package.searchers) do
      local loader, extra = searcher(name)
      if type(loader) == "function" then
        local value = loader(name, extra)
        if value ~= nil then package.loaded[name] = value end
        if package.loaded[name] == nil then package.loaded[name] = true end
        return package.loaded[name], extra
      elseif type(loader) == "string" then
        tried[#tried + 1] = loader
      end
    end
    error("module '" .. name .. "' not found:" .. table.concat(tried), 2)
  end
end

local function globals(console)
  local own = copied(_G, { "arg" })
  own._G = own
  own.io = copied(io, { "stdin", "stdout", "stderr" })
  own.io.popen, own.io.read, own.io.input = refused("io.popen"), refused("io.read"), refused("io.input")
  own.os = copied(os)
  own.os.execute, own.os.exit = refused("os.execute"), refused("os.exit")
  own.os.setlocale = nil -- would change how all of REAPER writes numbers
  own.debug = { traceback = debug.traceback, getinfo = debug.getinfo }
  own.coroutine = coroutines()
  for _, name in ipairs({ "string", "table", "math", "utf8" }) do own[name] = copied(_G[name]) end
  own.print = function(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    table.insert(console, table.concat(words, "\t") .. "\n")
  end
  own.loadfile = function(path, mode, environment) return loadfile(path, mode, environment or own) end
  own.load = function(chunk, name, mode, environment) return load(chunk, name, mode, environment or own) end
  own.dofile = function(path) return assert(loadfile(path, "bt", own))() end
  return own
end

function Script:_own_functions()
  local own = {}
  function own.defer(body)
    if self.leaving then violations.raise("defer while the script is ending") end
    table.insert(self.deferred, body)
    return true
  end
  function own.atexit(body)
    table.insert(self.leave, body)
    return true
  end
  function own.get_action_context() return false, self.path, 0, self.command, -1, -1, -1, "" end
  function own.set_action_options(flags) self.options = flags end
  return own
end

--- @param implementations of all that `reaper` has, save what is each script's own
-- @param options `luasocket`: whether it can be had
function Script.new(path, implementations, system, options)
  local self = setmetatable({ path = path, deferred = {}, leave = {}, ended = false, command = RUNNING_COMMAND },
    Script)
  self.window = Window.new(function(kind, text) return system.answer(kind, "", text) end)
  local own = globals(system.console)
  local package = { loaded = {}, preload = {}, path = "", cpath = "", config = _G.package.config,
    searchpath = _G.package.searchpath }
  package.searchers = searchers(package, own, options)
  own.package, own.require = package, requiring(package)
  for _, name in ipairs({ "string", "table", "math", "utf8", "io", "os", "coroutine", "debug", "package" }) do
    package.loaded[name] = own[name]
  end
  local all = setmetatable(self:_own_functions(), { __index = implementations })
  own.reaper = calls.library("reaper", contract.reaper, all)
  own.gfx = self.window:library()
  self.environment = own
  return self
end

function Script:_call(body)
  if self.problem then return end
  local well, problem = xpcall(body, debug.traceback)
  if not well then self.problem = problem end
end

--- Run the file itself. Within one tick.
function Script:start()
  local chunk, problem = loadfile(self.path, "t", self.environment)
  if chunk then self:_call(chunk) else self.problem = problem end
end

--- Run what was deferred to this tick.
function Script:step()
  self.window:next_tick()
  local deferred = self.deferred
  self.deferred = {}
  for _, body in ipairs(deferred) do self:_call(body) end
end

--- Whether there is nothing more to run.
function Script:is_done() return self.problem ~= nil or #self.deferred == 0 end

--- End it: what it left for its end is run, even after an error.
function Script:finish()
  local problem = self.problem
  self.leaving, self.problem = true, nil
  for _, body in ipairs(self.leave) do self:_call(body) end
  self.problem = problem or self.problem
  self.deferred, self.ended, self.window.is_open = {}, true, false
end

return Script
