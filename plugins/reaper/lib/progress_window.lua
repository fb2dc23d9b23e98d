-- The progress window: a bar for each item, its stage, the remaining time, cancel; and afterwards what is to be known.

local canvas = require("scorebridge.canvas")

local ProgressWindow = {}
ProgressWindow.__index = ProgressWindow

local WIDTH, HEIGHT = 520, 360
local MARGIN, ROW, FOOT = 12, 46, 48
local BUTTON_WIDTH, BUTTON_HEIGHT = 90, 26
local CROSS = 22
local ESCAPE = 27

--- Open the window for a batch.
function ProgressWindow.new(title, batch)
  canvas.open("ScoreBridge: " .. title, WIDTH, HEIGHT)
  return setmetatable({ batch = batch, first = 0 }, ProgressWindow)
end

--- Seconds in words.
function ProgressWindow.duration(seconds)
  if seconds < 1 then return "less than a second left" end
  if seconds < 90 then return ("about %d s left"):format(math.floor(seconds + 0.5)) end
  return ("about %d min left"):format(math.floor(seconds / 60 + 0.5))
end

local function state_of(task)
  if task.phase == "failed" then return task.problem.message, "bad" end
  local remaining_s = not task:has_ended() and task:remaining_s()
  local text = task.stage
  if remaining_s then text = text .. ", " .. ProgressWindow.duration(remaining_s) end
  return text, "faint"
end

local BARS = { done = "good", failed = "bad", cancelled = "trough" }

local function draw_row(task, y, width)
  local inner = width - 2 * MARGIN - CROSS - 8
  local text, colour = state_of(task)
  canvas.text(task.subject.name, MARGIN, y, inner * 0.45)
  canvas.text(text, MARGIN + inner * 0.47, y + 1, inner * 0.53, colour, true)
  canvas.box("trough", MARGIN, y + 22, inner, 8)
  local share = task.phase == "failed" and 1 or task:share()
  canvas.box(BARS[task.phase] or "bar", MARGIN, y + 22, inner * share, 8)
  if not task:has_ended() and canvas.button("×", width - MARGIN - CROSS, y + 10, CROSS, CROSS) then task:cancel() end
end

function ProgressWindow:draw_rows(width, height)
  local tasks = self.batch.tasks
  local fitting = math.max(1, math.floor((height - FOOT - MARGIN) / ROW))
  self.first = math.max(0, math.min(self.first + canvas.wheel(), #tasks - fitting))
  local first = math.floor(self.first)
  for i = 1, math.min(fitting, #tasks - first) do draw_row(tasks[first + i], MARGIN + (i - 1) * ROW, width) end
end

function ProgressWindow:draw_news(width, height)
  local y = MARGIN
  for _, line in ipairs(self.batch:news()) do
    for _, piece in ipairs(canvas.wrapped(line, width - 2 * MARGIN, true)) do
      if y > height - FOOT - 20 then return canvas.text("…", MARGIN, y, width, "faint", true) end
      canvas.text(piece, MARGIN, y, width - 2 * MARGIN, "text", true)
      y = y + 18
    end
  end
end

function ProgressWindow:draw_foot(width, height, over)
  local counts = self.batch:count()
  local said = ("%d of %d done"):format(counts.done, #self.batch.tasks)
  if counts.failed > 0 then said = said .. (", %d failed"):format(counts.failed) end
  if counts.cancelled > 0 then said = said .. (", %d cancelled"):format(counts.cancelled) end
  local y = height - FOOT + 10
  canvas.text(said, MARGIN, y + 4, width - 2 * MARGIN - BUTTON_WIDTH, "faint", true)
  local label = over and "Close" or "Cancel all"
  return canvas.button(label, width - MARGIN - BUTTON_WIDTH, y, BUTTON_WIDTH, BUTTON_HEIGHT)
end

--- Draw a frame.
-- @return "open", or "closed" where the user closed the window
function ProgressWindow:draw()
  local open, key = canvas.begin()
  if not open then return "closed" end
  local over = self.batch:is_over()
  local width, height = canvas.size()
  if over and self.batch:has_news() then self:draw_news(width, height) else self:draw_rows(width, height) end
  local pressed = self:draw_foot(width, height, over) or key == ESCAPE
  canvas.finish()
  if pressed and over then return "closed" end
  if pressed then self.batch:cancel() end
  return "open"
end

--- Close the window.
function ProgressWindow.close() gfx.quit() end

return ProgressWindow
