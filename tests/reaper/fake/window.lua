-- gfx: one window for each script. What is drawn is kept; the mouse and the keys are the test's.

local contract = require("contract")
local calls = require("calls")
local violations = require("violations")

local Window = {}
Window.__index = Window

local OPEN_FLAGS = 65536
local SUPPORTED_FOCUSED_VISIBLE = 1 + 2 + 4
local CLOSED = -1
local WIDTH_OF_HEIGHT = 0.55 -- of an average character
local LEFT_BUTTON = 1

--- @param answer function of a dialog's kind and text that returns what the user chose from a menu
function Window.new(answer)
  local self = setmetatable({ is_open = false, answer = answer, keys = {}, pointer = {}, frames = 0, draws = 0 },
    Window)
  self.variables = { x = 0, y = 0, ext_retina = 0, mouse_wheel = 0, w = 0, h = 0, texth = 8, mouse_x = 0, mouse_y = 0,
    mouse_cap = 0 }
  self.texts, self.shown = {}, {}
  return self
end

local function drawing(self, name)
  if not self.is_open then violations.raise("gfx.%s without a window", name) end
  self.draws = self.draws + 1
end

local function width_of(self, text) return (utf8.len(text) or #text) * self.variables.texth * WIDTH_OF_HEIGHT end

local function drawstr(self, text)
  drawing(self, "drawstr")
  local variables = self.variables
  table.insert(self.texts, { text = text, x = variables.x, y = variables.y, w = width_of(self, text),
    h = variables.texth })
  variables.x = variables.x + width_of(self, text)
end

local function init(self, title, width, height)
  if not self.is_open or width then
    self.variables.w, self.variables.h = width or 640, height or 480
  end
  if title ~= "" then self.title = title end
  self.is_open = true
  return 1
end

local function getchar(self, asked)
  if not self.is_open then return CLOSED end
  if asked == OPEN_FLAGS or asked == OPEN_FLAGS + 1 then return SUPPORTED_FOCUSED_VISIBLE end
  if asked and asked ~= 0 then return 0 end
  return table.remove(self.keys, 1) or 0
end

local function update(self)
  if not self.is_open then return end
  self.frames = self.frames + 1
  if #self.texts > 0 then self.shown, self.texts = self.texts, {} end
end

local function implementations(self)
  local all = {
    init = function(...) return init(self, ...) end,
    quit = function() self.is_open = false end,
    update = function() update(self) end,
    getchar = function(asked) return getchar(self, asked) end,
    set = function() drawing(self, "set") end,
    drawstr = function(text) drawstr(self, text) end,
    measurestr = function(text) return width_of(self, text), self.variables.texth end,
    setfont = function(number, _, size)
      if number < 0 or number > 16 then violations.raise("gfx.setfont: there is no font %g", number) end
      self.variables.texth = size or self.variables.texth
    end,
    showmenu = function(text) return self.answer("showmenu", text) end,
  }
  all.rect = function() drawing(self, "rect") end
  return all
end

--- The `gfx` table of a script.
function Window:library()
  return calls.library("gfx", contract.gfx, implementations(self), function(name)
      return self.variables[name] and self.variables[name] + 0.0
    end, function(name, value)
      if not contract.gfx_variables[name] then return false end
      self.variables[name] = value
      return true
    end)
end

--- A tick begins: the mouse goes on.
function Window:next_tick()
  local state = table.remove(self.pointer, 1)
  if state then
    self.variables.mouse_x, self.variables.mouse_y, self.variables.mouse_cap = state.x, state.y, state.cap
  end
end

--- Click at a place: the button goes down in one tick and up in the next.
function Window:click(x, y)
  table.insert(self.pointer, { x = x, y = y, cap = 0 })
  table.insert(self.pointer, { x = x, y = y, cap = LEFT_BUTTON })
  table.insert(self.pointer, { x = x, y = y, cap = 0 })
end

--- Click in the middle of a text that is shown; false where there is none.
function Window:press(wanted)
  for i = #self.shown, 1, -1 do
    local text = self.shown[i]
    if text.text == wanted then
      self:click(text.x + text.w / 2, text.y + text.h / 2)
      return true
    end
  end
  return false
end

return Window
