// The elements of template.html.

export const byId = (id) => document.getElementById(id);
export const whenPressed = (id, act) => byId(id).addEventListener("click", act);

export function makeButton(...content) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...content);
  return button;
}
