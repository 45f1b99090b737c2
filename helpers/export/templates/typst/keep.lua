-- Keeps what pandoc's Typst writer drops: pictures, alternative text, the look of tables.

local pictures = 0

local function quoted(text)
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("%s+", " ") .. '"'
end

local function typst_width(width)
  local number, unit = (width or ""):match("^([%d.]+)(%D*)$")
  if not number then return "auto" end
  return unit == "%" and number .. "%" or number * 0.75 .. "pt" -- a CSS pixel is 1/96 inch
end

-- Typst takes pictures from files: from `data:image/png;base64,…` to image-1.png.
function Image(image)
  local mime, content = pandoc.mediabag.fetch(image.src)
  pictures = pictures + 1
  local file = ("image-%d.%s"):format(pictures, mime:match("/(%w+)"))
  io.open(file, "wb"):write(content):close()
  local alt = quoted(pandoc.utils.stringify(image.caption))
  local width = typst_width(image.attributes.width)
  return pandoc.RawInline("typst", ("#picture(%s, alt: %s, width: %s)"):format(quoted(file), alt, width))
end

-- At the start of a cell or a list's item Typst would take them for a list, a heading or a term: "+ dropout".
function Str(str)
  local text = str.text
  if text:match("^[-+/]$") or text:match("^=+$") then return pandoc.RawInline("typst", "\\" .. text) end
  if text:match("^%d+%.$") then return pandoc.RawInline("typst", (text:gsub("%.$", "\\."))) end
end

local function only(block) return block and block.t == "Para" and #block.content == 1 and block.content[1] or {} end

-- A picture by itself is centred; its caption stays on its page.
function Blocks(blocks)
  for i, block in ipairs(blocks) do
    if only(block).t == "RawInline" then
      local picture = "#align(center)[" .. only(block).text .. "]"
      if only(blocks[i + 1]).t == "Emph" then picture = "#block(width: 100%, sticky: not compact)[" .. picture .. "]" end
      blocks[i] = pandoc.RawBlock("typst", picture)
    end
  end
  return blocks
end

local WIDE = 5 -- columns of a table that do not fit into half a page

-- A block of its own would cut the space above a heading: only wide tables keep theirs.
function Div(div)
  local wide = false
  div:walk({ Table = function(table) wide = wide or #table.colspecs > WIDE end })
  if wide and div.classes:includes("result") then
    div.content:insert(1, pandoc.RawBlock("typst", "#wide["))
    div.content:insert(pandoc.RawBlock("typst", "]"))
    return div.content
  end
  return div.content:map(function(block) return block.t == "Plain" and pandoc.Para(block.content) or block end)
end

function Table(table)
  if #table.colspecs == 0 then return {} end
  for _, row in ipairs(table.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.contents = cell.contents:walk({ Plain = function(plain) return pandoc.Plain(pandoc.Strong(plain.content)) end })
    end
  end
  if table.classes:includes("dataframe") then
    table.colspecs = table.colspecs:map(function(column) return { pandoc.AlignRight, column[2] } end)
  end
  return table
end
