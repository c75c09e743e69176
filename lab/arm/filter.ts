import { ArmError } from './http.ts';
import type { Resource } from './model.ts';

type Test = (resource: Resource) => boolean;

const clause = /^\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*$/i;

/** ARM's `$filter` as far as `field eq 'text'` joined by `and` goes: tagName, tagValue, resourceType, name, location. */
export function parseFilter(filter: string | null): Test {
  if (filter === null || filter.trim() === '') return () => true;
  const wanted = clausesOf(filter);
  const tests = [...wanted].map(([field, text]) => testOf(field, text, wanted.get('tagname')));
  return (resource) => tests.every((test) => test(resource));
}

/** `field eq 'text'` joined by `and`: the texts by field, in lower case. */
export function clausesOf(filter: string): ReadonlyMap<string, string> {
  return new Map(filter.split(/\s+and\s+/i).map(parseClause));
}

function parseClause(text: string): [string, string] {
  const [, field, value] = clause.exec(text) ?? [];
  if (field === undefined || value === undefined) throw invalid(text);
  return [field.toLowerCase(), value.replaceAll("''", "'")];
}

function testOf(field: string, text: string, tagName: string | undefined): Test {
  const folded = text.toLowerCase();
  switch (field) {
    case 'tagname':
      return ({ tags }) => tagValue(tags, text) !== undefined;
    case 'tagvalue':
      return ({ tags }) => tagName !== undefined && tagValue(tags, tagName) === text;
    case 'resourcetype':
      return ({ type }) => type.toLowerCase() === folded;
    case 'name':
      return ({ name }) => name.toLowerCase() === folded;
    case 'location':
      return ({ location }) => location === folded;
    default:
      throw invalid(`${field} eq '${text}'`);
  }
}

/** Tag names are compared without case, their values with it. */
function tagValue(tags: Resource['tags'], name: string): string | undefined {
  return Object.entries(tags).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

function invalid(text: string): ArmError {
  return new ArmError(
    400,
    'InvalidFilterInQueryString',
    `Invalid $filter '${text}' specified in the query string.`,
  );
}
