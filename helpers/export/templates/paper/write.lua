-- What pandoc's writers of LaTeX and Typst do not know: references, labelled equations, tables that float and fit.

local latex = FORMAT:match("latex") ~= nil
local NAMES = { fig = "Figure", tab = "Table", sec = "Section", eq = "Equation" }

local function raw(text)
  return pandoc.RawInline(latex and "latex" or "typst", text)
end

local OPTIONS = pandoc.WriterOptions({ cite_method = "natbib", wrap_text = "none" })

local function written(blocks)
  return (pandoc.write(pandoc.Pandoc(blocks), FORMAT, OPTIONS):gsub("%s+$", ""))
end

-- @fig:name is "Figure 1", [-@fig:name] is "1".
local function reference(citation)
  local kind = citation.id:match("^(%a+):")
  local bare = citation.mode == "SuppressAuthor"
  if latex then
    local number = ("\\%s{%s}"):format(kind == "eq" and "eqref" or "ref", citation.id)
    return raw(bare and number or NAMES[kind] .. "~" .. number)
  end
  local supplement = bare and "none" or "[" .. NAMES[kind] .. "]"
  return raw(('#ref(label("%s"), supplement: %s)'):format(citation.id, supplement))
end

function Cite(cite)
  if not NAMES[cite.citations[1].id:match("^(%a+):") or ""] then return nil end
  local inlines = pandoc.Inlines({})
  for number, citation in ipairs(cite.citations) do
    if number > 1 then inlines:extend({ pandoc.Str(","), pandoc.Space() }) end
    inlines:extend(citation.prefix)
    if #citation.prefix > 0 then inlines:insert(pandoc.Space()) end
    inlines:insert(reference(citation))
    inlines:extend(citation.suffix)
  end
  return inlines
end

function Span(span)
  if not span.identifier:match("^eq:") then return nil end
  local formula = span.content[1]
  if latex then
    return raw(("\\begin{equation}\\label{%s}\n%s\n\\end{equation}"):format(span.identifier, formula.text))
  end
  local typst = written({ pandoc.Plain({ formula }) })
  return raw(('#[#set math.equation(numbering: "(1)")\n%s <%s>]'):format(typst, span.identifier))
end

function Image(image)
  if latex then return nil end
  local alt = pandoc.utils.stringify(image.caption):gsub("\\", "\\\\"):gsub('"', '\\"')
  local width = (image.attributes.width or ""):match("^[%d.]+%%$") or "auto"
  return raw(('#picture("%s", alt: "%s", width: %s)'):format(image.src, alt, width))
end

local COLUMNS = { AlignRight = "r", AlignCenter = "c" }

local function line(cells)
  local texts = cells:map(function(blocks)
    local inlines = pandoc.utils.blocks_to_inlines(blocks):walk({ LineBreak = pandoc.Space })
    return written({ pandoc.Plain(inlines) })
  end)
  return table.concat(texts, " & ") .. " \\\\"
end

function Table(table_)
  if not latex then return nil end
  local simple = pandoc.utils.to_simple_table(table_)
  local columns = table.concat(simple.aligns:map(function(align) return COLUMNS[align] or "l" end))
  local lines = pandoc.List({
    "\\begin{table}[htbp]\n\\centering",
    ("\\caption{%s}\\label{%s}"):format(written(table_.caption.long), table_.identifier),
    ("\\fitted{\\begin{tabular}{@{}%s@{}}\n\\toprule"):format(columns),
  })
  if #simple.headers > 0 then lines:extend({ line(simple.headers), "\\midrule" }) end
  lines:extend(simple.rows:map(line))
  lines:insert("\\bottomrule\n\\end{tabular}}\n\\end{table}")
  return pandoc.RawBlock("latex", table.concat(lines, "\n"))
end
