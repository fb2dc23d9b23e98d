-- The settings window: a row a setting; a click changes it.

local canvas = require("scorebridge.canvas")
local settings = require("scorebridge.settings")

local SettingsWindow = {}
SettingsWindow.__index = SettingsWindow

local WIDTH, HEIGHT = 460, 615
local MARGIN, ROW, FOOT = 12, 25, 62
local ESCAPE = 27
local YES = 6
local YES_NO = 4

--- Open the window.
-- @param engines function that returns the daemon's engines, {name, direction}, once they are known
function SettingsWindow.new(engines)
  canvas.open("ScoreBridge: Settings", WIDTH, HEIGHT)
  return setmetatable({ engines = engines, first = 0, said = "" }, SettingsWindow)
end

--- A popup menu's line, with the characters that mean something there taken out.
local function menu_line(text, checked) return (checked and "!" or "") .. text:gsub("[|<>#!]", " ") end

local function choose(lines)
  gfx.x, gfx.y = gfx.mouse_x, gfx.mouse_y
  return math.tointeger(gfx.showmenu(table.concat(lines, "|")))
end

local function ask_for_text(setting, value)
  local title = setting.title .. (setting.unset and " (empty: " .. setting.unset .. ")" or "")
  title = title:gsub(",", ";") -- a comma would begin another field
  local taken, text = reaper.GetUserInputs("ScoreBridge", 1, title .. ",extrawidth=160,separator=\n",
    settings.text(setting.name, value))
  return taken and text:match("^%s*(.-)%s*$") or nil
end

local function ask_for_file(setting)
  local chosen = choose({ menu_line(setting.unset), "Choose…" })
  if chosen == 1 then return "" end
  if chosen ~= 2 then return nil end
  local taken, path = reaper.GetUserFileNameForRead("", setting.title, "")
  return taken and path or nil
end

local function ask_for_choice(setting, value)
  local lines = {}
  for i, choice in ipairs(setting.choices) do lines[i] = menu_line(choice[2] or choice[1], choice[1] == value) end
  local chosen = choose(lines)
  return chosen > 0 and setting.choices[chosen][1] or nil
end

local function ask_for_engine(setting, value, engines)
  if not engines then return ask_for_text(setting, value) end
  local lines = { menu_line(setting.unset, value == "") }
  for _, engine in ipairs(engines) do
    lines[#lines + 1] = menu_line(engine.name .. ": " .. engine.direction, engine.name == value)
  end
  local chosen = choose(lines)
  if chosen == 1 then return "" end
  return chosen > 1 and engines[chosen - 1].name or nil
end

--- The text that the user wants a setting to have; nil where it stays as it is.
function SettingsWindow:ask(setting)
  local value = settings.get(setting.name)
  if setting.kind == "switch" then return value and "no" or "yes" end
  if setting.kind == "choice" then return ask_for_choice(setting, value) end
  if setting.kind == "engine" then return ask_for_engine(setting, value, self.engines()) end
  if setting.kind == "file" then return ask_for_file(setting) end
  return ask_for_text(setting, value)
end

function SettingsWindow:change(setting)
  local text = self:ask(setting)
  if text == nil then return end
  local set, problem = settings.set(setting.name, text)
  self.said = set and "" or problem
end

function SettingsWindow:draw_row(setting, y, width)
  local half = (width - 2 * MARGIN) * 0.46
  canvas.text(setting.title, MARGIN, y + 3, half, "faint")
  canvas.box("button", MARGIN + half, y, width - 2 * MARGIN - half, ROW - 4)
  canvas.text(settings.shown(setting.name, settings.get(setting.name)), MARGIN + half + 8, y + 3,
    width - 2 * MARGIN - half - 16)
  if canvas.clicked(MARGIN, y, width - 2 * MARGIN, ROW - 4) then self:change(setting) end
end

--- Draw a frame. Returns whether the window is still open.
function SettingsWindow:draw()
  local open, key = canvas.begin()
  if not open or key == ESCAPE then return false end
  local width, height = canvas.size()
  local fitting = math.max(1, math.floor((height - FOOT - MARGIN) / ROW))
  self.first = math.max(0, math.min(self.first + canvas.wheel(), #settings.LIST - fitting))
  local first = math.floor(self.first)
  for i = 1, math.min(fitting, #settings.LIST - first) do
    self:draw_row(settings.LIST[first + i], MARGIN + (i - 1) * ROW, width)
  end
  canvas.text(self.said, MARGIN, height - FOOT + 6, width - 2 * MARGIN, "bad", true)
  if canvas.button("Set all back", MARGIN, height - 36, 100, 26)
    and reaper.MB("Set every setting back?", "ScoreBridge", YES_NO) == YES then
    settings.reset()
  end
  local closed = canvas.button("Close", width - MARGIN - 90, height - 36, 90, 26)
  canvas.finish()
  return not closed
end

return SettingsWindow
