-- From a notebook's Markdown to LaTeX: what has no place in a paper is refused, and tables float.

local function refuse(message, ...)
  io.stderr:write(message:format(...))
  os.exit(1)
end

local cites = false
local written = {}

function written.CodeBlock(block)
  refuse("The paper shows code (%s): take it out, or tag its cell `not-in-paper`.", block.text:match("%S[^\n]*"))
end

function written.Image(image)
  if not image.src:match("^figures/[%w_-]+%.pdf$") then
    refuse("The picture %s has no place in a paper: show it with run.figure(…, caption=…).", image.src:sub(1, 60))
  end
end

-- Anchors of a page on the screen lead nowhere on paper.
function written.Link(link)
  if link.target:match("^#") then return link.content end
  if link.target:match("^figures/") then refuse("The caption of %s has half a bracket: write \\[ or \\].", link.target) end
end

function written.Cite()
  cites = true
end

local OPTIONS = pandoc.WriterOptions({ cite_method = "natbib", wrap_text = "none" })
local COLUMNS = { AlignRight = "r", AlignCenter = "c" }

local function text_of(blocks)
  local inlines = pandoc.utils.blocks_to_inlines(blocks):walk({ LineBreak = pandoc.Space })
  return (pandoc.write(pandoc.Pandoc({ pandoc.Plain(inlines) }), "latex", OPTIONS):gsub("%s+$", ""))
end

local function row(cells)
  return table.concat(cells:map(text_of), " & ") .. " \\\\"
end

-- pandoc's own longtable does not float.
function written.Table(table_)
  local simple = pandoc.utils.to_simple_table(table_)
  if #table_.caption.long == 0 then
    refuse("The table that begins “%s” has no caption: run.table(…, caption=…), or a line below it, `: caption {#tab:name}`.",
      pandoc.utils.stringify(table_.head):sub(1, 40))
  end
  local columns = simple.aligns:map(function(align) return COLUMNS[align] or "l" end)
  local lines = pandoc.List({
    "\\begin{table}[htbp]\n\\centering",
    ("\\caption{%s}\\label{%s}"):format(text_of(table_.caption.long), table_.identifier),
    ("\\fitted{\\begin{tabular}{@{}%s@{}}\n\\toprule"):format(table.concat(columns)),
  })
  if #simple.headers > 0 then lines:extend({ row(simple.headers), "\\midrule" }) end
  lines:extend(simple.rows:map(row))
  lines:insert("\\bottomrule\n\\end{tabular}}\n\\end{table}")
  return pandoc.RawBlock("latex", table.concat(lines, "\n"))
end

local function set_cites(meta)
  meta.cites = cites
  return meta
end

return { written, { Meta = set_cites } }
