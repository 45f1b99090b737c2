-- From a notebook's Markdown to LaTeX: sections, references, figures and tables that float.

local NAMES = { fig = "Figure", tab = "Table", sec = "Section", eq = "Equation" }

local function refuse(message)
  io.stderr:write(message)
  os.exit(1)
end

local function latex(text)
  return pandoc.RawInline("latex", text)
end

local meaning = {}

-- `# Title` is the paper's title, `##` a section; `@sec:fine-tuning` refers to the one headed "Fine-tuning".
function meaning.Header(heading)
  if heading.level == 1 then return {} end
  heading.level = heading.level - 1
  if not heading.identifier:match("^sec:") then heading.identifier = "sec:" .. heading.identifier end
  return heading
end

-- ::: {#fig:name}, one picture or several side by side, the caption as a paragraph, :::
function meaning.Div(div)
  if not div.identifier:match("^fig:") then return nil end
  local panels, caption = pandoc.Inlines({}), pandoc.Blocks({})
  for _, block in ipairs(div.content) do
    local before = #panels
    block:walk({ Image = function(image) panels:extend({ image, pandoc.Space() }) end })
    if #panels == before then caption:insert(block) end
  end
  panels:remove()
  return pandoc.Figure({ pandoc.Plain(panels) }, caption, { id = div.identifier })
end

-- Anchors of a page on the screen lead nowhere on paper.
function meaning.Link(link)
  if link.target:match("^#") then return link.content end
end

local checks = { traverse = "topdown" }

function checks.CodeBlock(block)
  refuse(("The paper shows code (%s): take it out, or tag its cell `not-in-paper`."):format(block.text:match("%S[^\n]*")))
end

function checks.Figure(figure)
  if #figure.caption.long == 0 then
    refuse(("The figure @%s has no caption: run.figure(…, caption=…), or the last paragraph of its block."):format(figure.identifier))
  end
  return figure, false
end

function checks.Image(image)
  refuse(("The picture %s has no caption: ![caption](file){#fig:name}, or run.figure(…, caption=…).")
    :format(image.src:sub(1, 60)))
end

local cites = false
local written = {}

-- @fig:name is "Figure 1", [-@fig:name] is "1".
function written.Cite(cite)
  local citation = cite.citations[1]
  local kind = citation.id:match("^(%a+):")
  if not NAMES[kind] or #cite.citations > 1 or #citation.prefix + #citation.suffix > 0 then
    cites = true
    return nil
  end
  local name = citation.mode == "SuppressAuthor" and "" or NAMES[kind] .. "~"
  return latex(("%s\\%s{%s}"):format(name, kind == "eq" and "eqref" or "ref", citation.id))
end

-- [$$ … $$]{#eq:name}
function written.Span(span)
  local formula = span.content[1]
  if not span.identifier:match("^eq:") then return nil end
  return latex(("\\begin{equation}\\label{%s}\n%s\n\\end{equation}"):format(span.identifier, formula.text))
end

-- Of a picture that is there as a PDF too, that.
function written.Image(image)
  local src = image.src
  if pandoc.path.is_absolute(src) or ("/" .. src):match("/%.%./") or src:match("^%a+:") and not src:match("^data:") then
    refuse(("The picture %s is on the network or outside the folder: save it beside the notebook."):format(src))
  end
  local vector = image.src:gsub("%.%w+$", ".pdf")
  if pcall(pandoc.mediabag.fetch, vector) then image.src = vector end
  return image
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
    refuse(("The table that begins “%s” has no caption: run.table(…, caption=…), or a line below it, `: caption {#tab:name}`.")
      :format(pandoc.utils.stringify(table_.head):sub(1, 40)))
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

return { meaning, checks, written, { Meta = set_cites } }
