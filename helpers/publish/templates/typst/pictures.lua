-- Keeps what pandoc's Typst writer drops: a picture's alternative text, and the frame of a note.

local function quoted(text)
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("%s+", " ") .. '"'
end

local function typst_width(width)
  local number, unit = (width or ""):match("^([%d.]+)(%D*)$")
  if not number then return "auto" end
  return unit == "%" and number .. "%" or number * 0.75 .. "pt" -- a CSS pixel is 1/96 inch
end

function Image(image)
  local alt = quoted(pandoc.utils.stringify(image.caption))
  local width = typst_width(image.attributes.width)
  return pandoc.RawInline("typst", ("#picture(%s, alt: %s, width: %s)"):format(quoted(image.src), alt, width))
end

local notes = { note = true, tip = true, important = true, warning = true, caution = true }

function Div(div)
  if not div.classes:find_if(function(class) return notes[class] end) then return nil end
  return { pandoc.RawBlock("typst", "#callout["), div, pandoc.RawBlock("typst", "]") }
end
