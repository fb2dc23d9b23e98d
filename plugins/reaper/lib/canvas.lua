-- Drawing in REAPER's gfx window: colours, text that fits, buttons, and the mouse.

local canvas = {}

local LEFT_BUTTON = 1
local TEXT_FONT, SMALL_FONT = 1, 2
local WHEEL_STEP = 120

canvas.COLOURS = {
  background = { 0.16, 0.17, 0.18 },
  text = { 0.92, 0.92, 0.90 },
  faint = { 0.62, 0.64, 0.66 },
  trough = { 0.27, 0.29, 0.31 },
  bar = { 0.26, 0.60, 0.86 },
  good = { 0.36, 0.70, 0.42 },
  bad = { 0.87, 0.40, 0.34 },
  button = { 0.30, 0.32, 0.35 },
  hover = { 0.38, 0.41, 0.45 },
}

local mouse = { down = false, clicked = false }

--- Open a window.
function canvas.open(title, width, height)
  gfx.ext_retina = 1 -- set to the screen's scale by gfx.init, where it has one
  gfx.init(title, width, height)
  gfx.setfont(TEXT_FONT, "Arial", 15 * canvas.scale())
  gfx.setfont(SMALL_FONT, "Arial", 13 * canvas.scale())
end

--- Pixels of the screen for one of ours.
function canvas.scale() return gfx.ext_retina >= 1 and gfx.ext_retina or 1 end

--- Begin a frame: clears, and reads keys and mouse.
-- @return false where the window was closed
function canvas.begin()
  local key = gfx.getchar()
  if key < 0 then return false end
  local down = gfx.mouse_cap & LEFT_BUTTON ~= 0
  mouse.clicked, mouse.down = down and not mouse.down, down
  canvas.colour("background")
  gfx.rect(0, 0, gfx.w, gfx.h)
  return true, key
end

--- End a frame.
function canvas.finish() gfx.update() end

--- Size of the window.
function canvas.size() return gfx.w / canvas.scale(), gfx.h / canvas.scale() end

--- How far the wheel was turned since it was asked last, in steps downwards.
function canvas.wheel()
  local steps = -gfx.mouse_wheel / WHEEL_STEP
  gfx.mouse_wheel = 0
  return steps
end

function canvas.colour(name)
  local colour = canvas.COLOURS[name]
  gfx.set(colour[1], colour[2], colour[3], 1)
end

--- A filled rectangle.
function canvas.box(colour, x, y, width, height)
  local scale = canvas.scale()
  canvas.colour(colour)
  gfx.rect(x * scale, y * scale, width * scale, height * scale)
end

--- A text that is cut with "…" where it is wider than `width`.
function canvas.fitting(text, width)
  local room = width * canvas.scale()
  if gfx.measurestr(text) <= room then return text end
  local least, most = 0, utf8.len(text) or #text
  while least < most do
    local middle = (least + most + 1) // 2
    local cut = text:sub(1, (utf8.offset(text, middle + 1) or #text + 1) - 1) .. "…"
    if gfx.measurestr(cut) <= room then least = middle else most = middle - 1 end
  end
  return text:sub(1, (utf8.offset(text, least + 1) or 1) - 1) .. "…"
end

--- Write a line of text. `small` and `colour` say how.
function canvas.text(text, x, y, width, colour, small)
  gfx.setfont(small and SMALL_FONT or TEXT_FONT)
  canvas.colour(colour or "text")
  gfx.x, gfx.y = x * canvas.scale(), y * canvas.scale()
  gfx.drawstr(canvas.fitting(text, width))
end

--- A text as lines that are no wider than `width`.
function canvas.wrapped(text, width, small)
  gfx.setfont(small and SMALL_FONT or TEXT_FONT)
  local lines, line = {}, nil
  for word in text:gmatch("%S+") do
    local longer = line and line .. " " .. word or word
    if line and gfx.measurestr(longer) > width * canvas.scale() then
      lines[#lines + 1], line = line, word
    else
      line = longer
    end
  end
  lines[#lines + 1] = line
  return lines
end

local function is_over(x, y, width, height)
  local scale = canvas.scale()
  local mx, my = gfx.mouse_x / scale, gfx.mouse_y / scale
  return mx >= x and mx < x + width and my >= y and my < y + height
end

--- Whether an area was clicked in this frame.
function canvas.clicked(x, y, width, height) return mouse.clicked and is_over(x, y, width, height) end

--- Draw a button. Returns whether it was clicked in this frame.
function canvas.button(label, x, y, width, height)
  canvas.box(is_over(x, y, width, height) and "hover" or "button", x, y, width, height)
  gfx.setfont(SMALL_FONT)
  local wide, high = gfx.measurestr(label)
  local scale = canvas.scale()
  canvas.text(label, x + (width - wide / scale) / 2, y + (height - high / scale) / 2, width, "text", true)
  return canvas.clicked(x, y, width, height)
end

return canvas
